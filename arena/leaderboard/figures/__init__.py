"""Figures as SVG, drawn on the server: one module for each way to draw, rows in, text out (docs/figures.md)."""
