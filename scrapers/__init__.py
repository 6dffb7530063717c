"""Image sources and the downloader. This package imports neither `bend` nor `stylegan`."""
