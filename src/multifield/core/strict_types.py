"""Types of settings: a value of another type is refused, and nothing is converted.

Pydantic would make 3 of "3", 3.0 and True, and False of "no". Its strict mode for a whole class refuses
the dicts that YAML gives for the classes inside, so each type is strict by itself.
"""

from typing import Annotated

from pydantic import AllowInfNan, Field, Strict

Integer = Annotated[int, Strict()]
Real = Annotated[float, Strict(), AllowInfNan(False)]  # takes whole numbers too: YAML's 1 is an int
Flag = Annotated[bool, Strict()]
Text = Annotated[str, Strict(), Field(min_length=1)]
Seed = Annotated[int, Strict(), Field(ge=0, lt=2**32)]
