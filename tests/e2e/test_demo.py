"""`make demo`: from real LiteLLM calls to invoices, then serving until it is told to stop."""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.demo import prices, world
from gateway.demo.api import DemoFailed
from tests.support.gateway import ROOT, child_environment
from tests.support.litellm_proxy import python_with_litellm

RUN_TIMEOUT_SECONDS = 180
STOP_TIMEOUT_SECONDS = 60
TOTALS = ("91.20", "72.46", "73.67")


def command(data_dir: Path, *arguments: str) -> list[str]:
    demo = (sys.executable, "-m", "gateway.demo", "--data-dir", str(data_dir), *arguments)
    return [*demo, "--litellm-python", str(python_with_litellm())]


def run(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own interpreter and module
        command(data_dir, *arguments),
        cwd=ROOT,
        # a deployment that this shell may point at must not be touched
        env=child_environment({"TALLYGATE_DATABASE_URL": "postgresql+asyncpg://x@127.0.0.1:1/x"}),
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_TIMEOUT_SECONDS,
    )


def pdfs(output: str) -> list[Path]:
    return [Path(line) for line in re.findall(r"^ +(\S+\.pdf)$", output, re.MULTILINE)]


def is_answering(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=5).is_success
    except httpx.TransportError:
        return False


def gateway_url(output: str) -> str:
    found = re.search(r"runs on (http://127\.0\.0\.1:\d+)", output)
    assert found, output
    return found[1]


def test_exit_stops_after_the_result(tmp_path: Path) -> None:
    data_dir = tmp_path / "demo"
    done = run(data_dir, "--exit")
    assert done.returncode == 0, done.stdout + done.stderr
    output = done.stdout
    assert "\x1b" not in output, "no colour outside of a terminal"
    assert f"{len(world.CALLS)} calls, " in output
    assert "Everything adds up." in output
    for buyer, total in zip(world.BUYERS, TOTALS, strict=True):
        assert re.search(rf"Total, {buyer.name}.*\b{total}\b", output), output
    found = pdfs(output)
    assert [path.parent for path in found] == [data_dir / "invoices"] * len(world.BUYERS)
    assert all(path.read_bytes().startswith(b"%PDF-") for path in found)
    assert not is_answering(gateway_url(output))
    assert (data_dir.stat().st_mode & 0o077) == 0


def test_it_serves_until_interrupted_and_begins_anew(tmp_path: Path) -> None:
    data_dir = tmp_path / "demo"
    data_dir.mkdir()
    shutil.copy(ROOT / "README.md", data_dir)
    refused = run(data_dir, "--exit")
    assert refused.returncode == 1
    assert "holds files that no demo made" in refused.stdout
    assert (data_dir / "README.md").exists()
    (data_dir / "made-by-demo").touch()  # as after an earlier demo

    with subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command(data_dir), cwd=ROOT, env=child_environment({}), stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout
        output = ""
        try:
            for line in demo.stdout:
                output += line
                if "keeps serving" in line:
                    break
            assert not (data_dir / "README.md").exists(), "it starts with an empty directory"
            url = gateway_url(output)
            curl = re.search(r'curl -H "Authorization: (Bearer \S+)" (\S+)', output)
            assert curl, output
            answer = httpx.get(curl[2], headers={"Authorization": curl[1]}, timeout=30)
            assert len(answer.json()["invoices"]) == len(world.BUYERS)
            second = run(data_dir, "--exit")
            assert second.returncode == 1
            assert "--data-dir" in second.stdout
            assert is_answering(url), "a second demo must not disturb the first"
        finally:
            demo.send_signal(signal.SIGINT)
            rest = demo.stdout.read()
            status = demo.wait(STOP_TIMEOUT_SECONDS)
    assert status == 0, rest
    assert "stopped" in rest
    assert not is_answering(url)


def test_a_missing_litellm_is_named_before_anything_starts(tmp_path: Path) -> None:
    bare = Path(sys.base_prefix) / "bin" / "python3"
    done = subprocess.run(  # noqa: S603 - our own interpreter and module
        [
            *(sys.executable, "-m", "gateway.demo", "--exit"),
            *("--data-dir", str(tmp_path / "demo"), "--litellm-python", str(bare)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_TIMEOUT_SECONDS,
    )
    assert done.returncode == 1
    assert "has no LiteLLM" in done.stdout
    assert not (tmp_path / "demo").exists()


def answers(buyer: world.Buyer) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a right usage and invoice for 37,846 tokens."""
    assert buyer is world.AI
    usage = {"charges_usage": [{"units": "37846.0"}], "amount_cents": 7600}
    invoice = {
        "fees_amount_cents": 7600,
        "fees": [{"amount_cents": 0}, {"amount_cents": 7600}],
        "taxes_amount_cents": 1520,
        "total_amount_cents": 9120,
    }
    return usage, invoice


def test_right_amounts_pass() -> None:
    prices.check(world.AI, prices.units(answers(world.AI)[0]), *answers(world.AI))


@pytest.mark.parametrize("name", ["fees_amount_cents", "taxes_amount_cents", "total_amount_cents"])
def test_one_cent_off_fails(name: str) -> None:
    usage, invoice = answers(world.AI)
    invoice[name] += 1
    with pytest.raises(DemoFailed, match="has to be"):
        prices.check(world.AI, prices.units(usage), usage, invoice)


def test_one_token_off_fails() -> None:
    usage, invoice = answers(world.AI)
    sent = prices.units(usage) + 1
    with pytest.raises(DemoFailed, match="usage units is 37846"):
        prices.check(world.AI, sent, usage, invoice)
