"""`msgin5g` in this process, and what it is told of in most tests: a gateway and the password of a network."""

import json

from typer.testing import CliRunner

from host_tools.cli import app

GATEWAY = "gateway-1@example.org"
PASSWORD = "the password of the network"


def invoke(*arguments, **options):
    """A command to its end, whatever that is."""
    return CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False, **options)


def call(*arguments, **options):
    """A command that succeeds."""
    done = invoke(*arguments, **options)
    assert done.exit_code == 0, done.output
    return done


def told(*arguments, **options):
    """What a command that succeeds tells with --json."""
    return json.loads(call(*arguments, "--json", **options).stdout)
