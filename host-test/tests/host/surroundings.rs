//! What a guest sees of its host: environment, arguments, configuration, files, standard streams.

use mainstay_host_test::workload::Phase;
use mainstay_host_test::workload::spec::{Mount, Volume, VolumeSource};
use mainstay_host_test::workload::stdio::Input;

use crate::common::{Builder, service};

/// What a component sees.
fn looking(at: &[&str]) -> Builder {
    let arguments: Vec<_> = at.iter().map(|each| format!("look {each}")).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    service("test/link-caller")
        .arguments(&arguments)
        .component("test/link-callee")
}

#[tokio::test]
async fn a_program_without_code_of_ours_has_arguments_and_ends() {
    let (status, stdout, _) = service("test/plain-cli")
        .arguments(&["arguments", "a b", "c"])
        .run()
        .await;
    assert_eq!(
        (status.state, stdout.as_str()),
        (Phase::Completed, "arguments [\"a b\", \"c\"]\n")
    );
}

#[tokio::test]
async fn a_service_reads_standard_input_to_its_end() {
    let builder = service("test/plain-cli").arguments(&["upper"]);
    let builder = builder.with_options(|options| options.input = Input::Bytes("one\ntwo\n".into()));
    assert_eq!(builder.run().await.1, "ONE\nTWO\n");
}

#[tokio::test]
async fn each_component_has_its_own_environment() {
    let mut builder = looking(&["env A", "env B"]).environment("A", "the service's");
    let environment = &mut builder.spec.components[0].resources.environment;
    environment.insert("B".to_owned(), "the component's".to_owned());
    assert_eq!(
        builder.run().await.1,
        "not seen environment variable not found\nseen the component's\n"
    );
}

#[tokio::test]
async fn the_command_lines_environment_goes_over_everyones() {
    let builder = looking(&["env A"]).environment("A", "old");
    let builder = builder.with_options(|options| options.environment = vec![("A".to_owned(), "new".to_owned())]);
    assert_eq!(builder.run().await.1, "seen new\n");
}

#[tokio::test]
async fn a_component_reads_its_configuration() {
    let mut builder = looking(&["config greeting", "config other"]);
    let config = &mut builder.spec.components[0].resources.config;
    config.insert("greeting".to_owned(), "hello".to_owned());
    assert_eq!(builder.run().await.1, "seen hello\nnot seen not configured\n");
}

#[tokio::test]
async fn a_volume_is_shared_and_outlives_the_calls() {
    let directory = tempfile::tempdir().unwrap();
    let builder = looking(&["write /data/x kept", "read /data/x"]).volume(directory.path(), "/data");
    assert_eq!(builder.run().await.1, "seen \nseen kept\n");
    assert_eq!(std::fs::read_to_string(directory.path().join("x")).unwrap(), "kept");
}

#[tokio::test]
async fn a_read_only_volume_is_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let mut builder = looking(&["write /data/x no"]).volume(directory.path(), "/data");
    builder.spec.components[0].resources.mounts[0].read_only = true;
    assert!(builder.run().await.1.starts_with("not seen "));
    assert!(!directory.path().join("x").exists());
}

#[tokio::test]
async fn a_guest_sees_nothing_of_the_machine_but_its_volumes() {
    assert!(looking(&["read /etc/hostname"]).run().await.1.starts_with("not seen "));
}

#[tokio::test]
async fn an_ephemeral_volume_survives_restarts_and_is_gone_after() {
    let mut builder = looking(&["read /tmp/x", "write /tmp/x kept"]).max_restarts(1);
    builder.spec.volumes.push(Volume {
        name: "scratch".to_owned(),
        source: VolumeSource::Ephemeral,
    });
    builder.spec.components[0].resources.mounts.push(Mount {
        volume: "scratch".to_owned(),
        path: "/tmp".to_owned(),
        read_only: false,
    });
    builder.spec.service.as_mut().unwrap().arguments.push("trap".to_owned());
    let stdout = builder.run().await.1;
    assert!(
        stdout.starts_with("not seen ") && stdout.contains("seen kept\n"),
        "{stdout}"
    );
    assert!(
        builder.run().await.1.starts_with("not seen "),
        "a new workload has a new one"
    );
}

#[test]
fn a_volume_that_does_not_exist_keeps_the_workload_from_starting() {
    let builder = looking(&[]).volume(std::path::Path::new("/nonexistent/state"), "/state");
    let error = format!("{:#}", builder.try_start().err().unwrap());
    assert!(
        error.contains("volume directory /nonexistent/state: it must exist"),
        "{error}"
    );
    let mut builder = looking(&[]);
    builder.spec.components[0].resources.mounts.push(Mount {
        volume: "nowhere".to_owned(),
        path: "/x".to_owned(),
        read_only: false,
    });
    let error = builder.try_start().err().unwrap().to_string();
    assert_eq!(
        error,
        "volume \"nowhere\" is mounted but not defined: the workload's volumes are []"
    );
}
