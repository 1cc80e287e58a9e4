"""Takes the README's pictures from the running demonstration: `make screenshots`, with `make run` going on.

Needs Chromium and the development dependencies. An SOS is simulated first, so that the desk has something
to show.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from database.connections import connect
from deploy.county.known import DEMO_PASSWORD
from deploy.errors import DeployError
from deploy.local import instance

FOLDER = Path(__file__).parents[1] / "docs" / "images"
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
COUNTY = {"width": 1440, "height": 900}
CAREGIVER = "caregiver1"
SUPERVISOR = "county"
SETTLE_MS = 2_000


def main() -> int:
    """Write desk.png, desk-phone.png and county.png into docs/images."""
    running = instance.current()
    chromium = shutil.which("chromium")
    if running.http_url is None or chromium is None:
        raise DeployError("The pages and Chromium are needed.", "make run; as root: apt-get install chromium")
    _press_sos(running)
    FOLDER.mkdir(parents=True, exist_ok=True)
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=sandbox)
        _take(browser, running.http_url, CAREGIVER, "desk", DESK, "desk.png")
        _take(browser, running.http_url, CAREGIVER, "desk", PHONE, "desk-phone.png")
        _take(browser, running.http_url, SUPERVISOR, "county", COUNTY, "county.png")
        browser.close()
    print(f"written to {FOLDER}")
    return 0


def _press_sos(running: instance.Instance) -> None:
    """For a resident of the first caregiver's home who has a button."""
    with connect(running.owner_database_url) as connection:
        row = connection.execute(
            """
            SELECT assignment.resident_id AS id FROM care.staff
            JOIN care.staff_site ON staff_site.staff_id = staff.id
            JOIN care.device ON device.site_id = staff_site.site_id AND device.kind = 'sos_button'
            JOIN care.device_assignment AS assignment ON assignment.device_id = device.id
            WHERE staff.username = %s AND assignment.resident_id IS NOT NULL ORDER BY 1 LIMIT 1
            """,
            (CAREGIVER,),
        ).fetchone()
    if row is None:
        raise DeployError("No button to press: this is not the demonstration county.")
    anshou = Path(sys.executable).parent / "anshou"
    subprocess.run(
        [anshou, "simulate", "--incident", "sos", "--resident", str(row["id"])],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _take(browser: Browser, url: str, username: str, page_name: str, size: dict[str, int], file: str) -> None:
    context = browser.new_context(
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
        viewport={"width": size["width"], "height": size["height"]},
    )
    page = context.new_page()
    page.goto(url)
    page.fill("input[name=username]", username)
    page.fill("input[name=password]", DEMO_PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(lambda there: "sign-in" not in there)
    page.goto(f"{url}{page_name}")
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=FOLDER / file)
    context.close()


if __name__ == "__main__":
    sys.exit(main())
