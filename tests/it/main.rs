//! Sessions through the layer, as a client and a handler see them.

mod smoke;
