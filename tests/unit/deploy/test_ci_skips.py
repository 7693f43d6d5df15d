"""Under CI a skipped test is a failure: tried with pytest itself on a small suite of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

CONFTEST = Path(__file__).resolve().parents[2] / "conftest.py"
IN_A_TEST = "import pytest\n\ndef test_a():\n    pytest.skip('server one')\n\ndef test_b():\n    pass\n"
BY_A_MARK = "import pytest\n\n@pytest.mark.skip(reason='server two')\ndef test_a():\n    pass\n"
A_WHOLE_FILE = "import pytest\n\npytest.skip('server three', allow_module_level=True)\n"


def run_pytest(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    plain = {
        name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST")
    }
    command = [sys.executable, "-m", "pytest", "--continue-on-collection-errors", "--rootdir", str(folder)]
    command += ["-p", "no:cacheprovider", "-c", os.devnull, str(folder)]
    return subprocess.run(
        command, env={**plain, **env}, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_skip_fails_under_ci_and_says_why(tmp_path: Path) -> None:
    """What passes on a laptop with three skips fails with CI=true, and each reason is told."""
    shutil.copy(CONFTEST, tmp_path / "conftest.py")
    for name, text in (("one", IN_A_TEST), ("two", BY_A_MARK), ("three", A_WHOLE_FILE)):
        (tmp_path / f"test_{name}.py").write_text(text, encoding="utf-8")
    assert run_pytest(tmp_path).returncode == 0
    under_ci = run_pytest(tmp_path, CI="true")
    assert under_ci.returncode == 1
    assert "1 failed, 1 passed, 2 errors" in under_ci.stdout
    assert [word in under_ci.stdout for word in ("server one", "server two", "server three")] == [True] * 3
