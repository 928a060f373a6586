"""`mutualctr doctor`: what is wrong here, and how to mend it."""

import click

MARKS = {"good": "ok    ", "mended": "mended", "bad": "WRONG "}


@click.command()
@click.option("--fix", is_flag=True, help="Mark dead runs as failed, remove orphan folders.")
def doctor(fix: bool) -> None:
    """Look at stack, stores, versions, disk and runs; exits with 1 where something is wrong."""
    from stack.doctor import examine
    from stack.quiet import quiet_logs

    quiet_logs()
    wrong = 0
    for finding in examine(fix):
        click.echo(f"{MARKS[finding.kind]}  {finding.sentence}")
        wrong += finding.kind == "bad"
    if wrong:
        raise SystemExit(1)
