"""Small continuous flows of points in the plane, many seeds at once: network, generator, judge."""
