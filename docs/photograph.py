"""Make the pictures in docs/pictures: maps, the report of the last run, and Kedro-Viz.

Run it from the root of the repository after `kedro run`. It needs Chromium, its driver and a package
that nothing else needs: ``pip install selenium && python docs/photograph.py``.
"""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

import multifield as mf

PICTURES = Path("docs/pictures")
REPORT = Path("data/08_reporting/MockNbody_Mtot_all_steps_500_500_o3/report.html")
PORT = 4571
ADDRESS = f"http://127.0.0.1:{PORT}"
SETTLE = 6.0  # [s] in which Kedro-Viz lays out its graph and draws it
N_COLORS = 256  # of the pictures, which then take a third of the bytes
STATE = {  # of Kedro-Viz, which it keeps in the browser: light, without hints and news, lists closed
    "theme": "light",
    "showFeatureHints": False,
    "orientation": "vertical",
    "visible": {"sidebar": False, "miniMap": False, "code": False, "graph": True},
    "textLabels": True,
    "layer": {"visible": True},
}


def main() -> None:
    """Take every picture."""
    PICTURES.mkdir(exist_ok=True)
    draw_maps()
    save(REPORT.with_name("true_against_predicted.png").read_bytes(), "demo")
    with browser(1200, 1150) as driver:
        driver.get(REPORT.resolve().as_uri())
        save(driver.get_screenshot_as_png(), "report")
    with kedro_viz():
        with browser(900, 1000) as driver:
            open_graph(driver)
            save(driver.get_screenshot_as_png(), "kedro-viz")
        with browser(1500, 900) as driver:
            open_graph(driver)
            act_on(driver, "preprocess", "double_click")
            act_on(driver, "raw_maps", "click")
            save(driver.get_screenshot_as_png(), "kedro-viz-preprocess")


def draw_maps() -> None:
    """Draw four fields of one mock universe, at the size of CMD's maps."""
    colors = {"Mtot": "viridis", "Mgas": "cividis", "T": "inferno", "HI": "magma"}
    size = {"n_simulations": 3, "n_valid": 1, "n_test": 1, "map_size": 256}
    figure, axes = plt.subplots(1, len(colors), figsize=(10, 2.75), layout="constrained")
    with TemporaryDirectory() as data:
        suite = mf.load_suite("MockTNG", list(colors), data=data, lattice=160, refine=3, **size)
        for ax, (field, cmap) in zip(axes, colors.items(), strict=True):
            ax.imshow(np.log10(suite.maps[field][0]), cmap=cmap, origin="lower")
            ax.set(title=field, xticks=[], yticks=[])
    picture = io.BytesIO()
    figure.savefig(picture, dpi=100)
    save(picture.getvalue(), "maps")


def open_graph(driver: WebDriver) -> None:
    """Show the stages as boxes."""
    script = f"localStorage.setItem('KedroViz', {json.dumps(json.dumps(STATE))})"
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
    driver.get(f"{ADDRESS}/?pid=__default__")
    time.sleep(SETTLE)
    for button in driver.find_elements(By.XPATH, "//button[.='Dismiss']"):
        driver.execute_script("arguments[0].click()", button)


def act_on(driver: WebDriver, name: str, action: str) -> None:
    """Click on a node, or open a box with a double click."""
    node = driver.find_element(
        By.XPATH, f"//*[contains(@class, 'pipeline-node ') and normalize-space()='{name}']"
    )
    getattr(ActionChains(driver), action)(node).perform()
    time.sleep(SETTLE)


@contextmanager
def kedro_viz() -> Iterator[None]:
    """Serve the project until the pictures are taken."""
    command = [sys.executable, "-m", "kedro", "viz", "run", "--no-browser", "--port", str(PORT)]
    server = subprocess.Popen(command, start_new_session=True)  # its child outlives it otherwise
    try:
        wait_for(f"{ADDRESS}/api/main")
        yield
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def wait_for(url: str, seconds: float = 120) -> None:
    """Ask until somebody answers; OSError if nobody has in time."""
    end = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(1)


@contextmanager
def browser(width: int, height: int) -> Iterator[WebDriver]:
    """Start a Chromium that nobody sees."""
    options = webdriver.ChromeOptions()
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "hide-scrollbars"):
        options.add_argument(f"--{argument}")
    options.binary_location = shutil.which("chromium") or ""
    service = webdriver.ChromeService(shutil.which("chromedriver") or "")
    driver = webdriver.Chrome(options=options, service=service)
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        yield driver
    finally:
        driver.quit()


def save(png: bytes, name: str) -> None:
    """Write a picture in few colors."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    path = PICTURES / f"{name}.png"
    picture.quantize(N_COLORS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
