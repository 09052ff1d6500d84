//! The function language plproxy.
