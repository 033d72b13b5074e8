"""Types of settings that pydantic checks without converting.

By default pydantic converts "3", 3.0 and True to 3, and "no" to False. Strict mode for a whole
class would also reject the dicts that YAML gives for nested classes, so each type is strict by
itself.
"""

from typing import Annotated

from pydantic import AllowInfNan, Field, Strict

Integer = Annotated[int, Strict()]
Real = Annotated[float, Strict(), AllowInfNan(False)]  # accepts integers too: YAML reads 1 as int
Flag = Annotated[bool, Strict()]
Text = Annotated[str, Strict(), Field(min_length=1)]
Seed = Annotated[int, Strict(), Field(ge=0, lt=2**32)]
