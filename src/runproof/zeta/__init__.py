"""Riemann's zeta function and Dirichlet's eta with proven errors, and every zero in a window.

::

    eta(sigma, t), zeta(sigma, t)       complex values, error below 1e-12 on the critical line
    hardy_z(t0, step, count)            Hardy's Z on a uniform grid, 10^6 points in a fraction
                                        of a second, each with a proven bound
    count_zeros(t0, t1)                 the exact number of zeros
    isolate_zeros(t0, t1, tol)          every zero as an interval with a proven change of sign

What is certain here rests on ball arithmetic (FLINT) and, for the quick path, on the
Riemann-Siegel formula with Gabcke's bound of its remainder and a bound of all rounding.
"""

from runproof.zeta.balls import count_zeros, eta, zeta
from runproof.zeta.riemann_siegel import GridValues, hardy_z
from runproof.zeta.zeros import Zeros, isolate_zeros

__all__ = [
    "GridValues",
    "Zeros",
    "count_zeros",
    "eta",
    "hardy_z",
    "isolate_zeros",
    "zeta",
]
