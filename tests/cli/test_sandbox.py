"""`layerkit sandbox`: its address on standard output, until it is interrupted."""

import http.client
import signal
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from layerkit.cli.main import cli, run
from layerkit.sandbox import dialects


def test_it_prints_its_address_and_runs_until_interrupted(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "layerkit.cli", "sandbox", "--dir", str(tmp_path / "store"), "--max-blob", "1MB"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        connection = http.client.HTTPConnection(address, timeout=10)
        connection.request("GET", "/v2/")
        assert connection.getresponse().status == 200
        connection.close()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert address.startswith("127.0.0.1:")
    assert (process.returncode, out) == (130, "")
    assert "GET /v2/: 200" in err
    assert "Traceback" not in err
    assert (tmp_path / "store" / "oci-layout").exists()


def test_what_is_refused() -> None:
    for arguments in (
        ["--as", "nobody"],
        ["--fault", "PATCH:503"],
        ["--token-login", "nobody"],
        ["--deadline", "0"],
        ["--port", "70000"],
    ):
        assert run(["sandbox", *arguments]) == 2


def test_help_names_the_dialects() -> None:
    result = CliRunner().invoke(cli, ["sandbox", "--help"])
    assert "[default: replicated]" in " ".join(result.output.split())
    assert all(f"  {name} " in result.output for name in dialects())


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run(["sandbox", "--port", str(taken.getsockname()[1])]) == 2


def test_as_another_registry(tmp_path: Path) -> None:
    """Its habits, and single ones changed."""
    command = [sys.executable, "-m", "layerkit.cli", "sandbox", "--as", "ecr", "--repository", "app", "--max-body", "1MB"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        connection = http.client.HTTPConnection(process.stdout.readline().strip(), timeout=10)
        statuses = []
        for name, body in (("app", b""), ("other", b""), ("app", bytes(1_000_001))):
            connection.request("POST", f"/v2/{name}/blobs/uploads/", body)
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        connection.close()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert statuses == [202, 404, 413]
    assert "Amazon ECR: PATCH answers 201" in err
