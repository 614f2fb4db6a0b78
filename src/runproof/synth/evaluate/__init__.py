"""How good a synthetic table is, and whether it gives its training rows away.

Fidelity: `ecdf_ks`, `column_ks`, `total_variation`, `correlation_distance`,
`association_distance`, `wasserstein1`, `coverage_density`, `two_sample_auc`.
Utility: `tstr`. Privacy: `closest_record_distance`, `dcr_ratio`, `holdout_share`,
`membership_attack`, `tail_test`. Each docstring says what its number cannot show.
`noise_band` measures what a number is for real rows against real rows; without it a number
means little.
`forest_diffusion_protocol` puts a generator beside nine published ones.
"""

from runproof.synth.evaluate.distances import (
    CoverageDensity,
    closest_record_distance,
    coverage_density,
    dcr_ratio,
    wasserstein1,
)
from runproof.synth.evaluate.fidelity import (
    Discrepancy,
    EcdfKS,
    Estimate,
    association_distance,
    column_ks,
    correlation_distance,
    ecdf_ks,
    ecdf_nodes,
    total_variation,
    two_sample_auc,
)
from runproof.synth.evaluate.noise import Band, noise_band
from runproof.synth.evaluate.privacy import (
    Attack,
    HoldoutShare,
    TailTest,
    holdout_share,
    membership_attack,
    tail_test,
)
from runproof.synth.evaluate.protocol import (
    ProtocolResult,
    forest_diffusion_protocol,
    published_scores,
)
from runproof.synth.evaluate.utility import Utility, tstr

__all__ = [
    "Attack",
    "Band",
    "CoverageDensity",
    "Discrepancy",
    "EcdfKS",
    "Estimate",
    "HoldoutShare",
    "ProtocolResult",
    "TailTest",
    "Utility",
    "association_distance",
    "closest_record_distance",
    "column_ks",
    "correlation_distance",
    "coverage_density",
    "dcr_ratio",
    "ecdf_ks",
    "ecdf_nodes",
    "forest_diffusion_protocol",
    "holdout_share",
    "membership_attack",
    "noise_band",
    "published_scores",
    "tail_test",
    "total_variation",
    "tstr",
    "two_sample_auc",
    "wasserstein1",
]
