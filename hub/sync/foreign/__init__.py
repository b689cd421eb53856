"""Doors that other tools' own clients open, pointed at the hub: see docs/doors.md."""
