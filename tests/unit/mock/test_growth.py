import numpy as np
import pytest
from scipy.integrate import solve_ivp

from multifield.mock.growth import Growth

OMEGAS = (0.1, 0.3, 0.5)


@pytest.mark.parametrize("Omega_m", OMEGAS)
def test_factor_solves_the_equation_of_growth(Omega_m):
    """Solve D'' + (2 + d ln H / d ln a) D' = 3/2 Omega_m(a) D in ln a, from D = a at a = 1e-3."""
    growth = Growth(Omega_m)

    def equation(log_a, state):
        matter = growth.matter_fraction(np.exp(log_a))
        return [state[1], 1.5 * matter * state[0] - (2.0 - 1.5 * matter) * state[1]]

    solution = solve_ivp(equation, (np.log(1e-3), 0.0), (1e-3, 1e-3), rtol=1e-9, dense_output=True)
    today = solution.sol(0.0)[0]
    for a in (0.1, 0.3, 0.7, 1.0):
        factor, slope = solution.sol(np.log(a))
        assert growth.factor(a) == pytest.approx(factor / today, rel=1e-5)  # decaying mode: 1e-6
        assert growth.rate(a) == pytest.approx(slope / factor, rel=1e-5)


@pytest.mark.parametrize("Omega_m", OMEGAS)
def test_rate_is_linder_s(Omega_m):
    """f = Omega_m(a)^0.55 to 4%; Linder 2005, astro-ph/0507263."""
    growth = Growth(Omega_m)
    for a in (0.2, 0.5, 1.0):
        assert growth.rate(a) == pytest.approx(growth.matter_fraction(a) ** 0.55, rel=4e-2)


def test_without_a_cosmological_constant():
    """Einstein and de Sitter: D = a, f = 1, D_2 = 3/7 a^2."""
    growth = Growth(1.0)
    for a in (0.1, 0.5, 1.0):
        assert growth.factor(a) == pytest.approx(a)
        assert growth.momentum(a) == pytest.approx(a**1.5)
        assert growth.second_factor(a) == pytest.approx(3 / 7 * a**2)
        assert growth.second_momentum(a) == pytest.approx(6 / 7 * a**2.5)
