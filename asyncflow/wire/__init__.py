"""What goes wrong on the wire: rules for one direction of one stream, and the plan that hands them out."""
