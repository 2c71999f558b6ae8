//! What needs two services or the whole map: real programs, real faults, and the map itself.
