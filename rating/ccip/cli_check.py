"""`python -m rating ccip check`: an encoder against the contract, and what it says of itself."""

from argparse import Namespace

from rating.ccip.command import encoder_of, show, show_json


def run(options: Namespace) -> int:
    """Open both nets and print what was found. Raises ContractError naming the difference."""
    encoder = encoder_of(options)
    found = encoder.check()
    rows = {
        "encoder": encoder.name,
        "folder": str(encoder.folder.path),
        "identity": encoder.identity,
        "threshold": encoder.threshold,
        "dimensions": found.dim,
        "preprocess": encoder.folder.preprocess.version,
        "differences": "by numpy" if found.cosine else "by the metric net",
        "deviation": found.deviation,
        "provider": encoder.nets.provider,
        "notice": encoder.notice,
        **{f"sha256 {name}": digest for name, digest in encoder.folder.hashes.items()},
    }
    if options.format == "json":
        show_json(rows)
    else:
        show([{"what": name, "value": str(value)} for name, value in rows.items()], "the contract is kept")
    return 0
