//! Choosing, from the directory to the picker.
