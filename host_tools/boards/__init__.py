"""From a blank board to a registered UE: what is known of each board, and what is done to one."""
