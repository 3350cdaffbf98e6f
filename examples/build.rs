//! Compiles the services of the examples.

fn main() -> Result<(), broach_build::Error> {
    broach_build::compile(&[
        "../proto/greeter/v1/greeter.proto",
        "../proto/store/v1/store.proto",
        "../proto/thermometer/v1/thermometer.proto",
        "../proto/wordcount/v1/wordcount.proto",
    ])
}
