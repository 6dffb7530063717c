"""`bend scrape`: search, download and check pictures, with their licences."""

import json
from pathlib import Path
from typing import Any

import click

from bend import __version__
from bend.options import default_of
from scrapers.client import ClientConfig
from scrapers.download import DownloadRules
from scrapers.gather import ScrapeConfig

__all__ = ["scrape"]
