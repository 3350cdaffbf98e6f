//! Services whose names, methods and types make trouble, called all the same.

mod clashes;
mod deprecated;
mod keywords;
mod methods;
mod packages;
mod services;
mod types;
