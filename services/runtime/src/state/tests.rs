//! State files that are missing, torn, corrupt, newer and older.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Counts {
    runs: u64,
    #[serde(default)]
    last: Option<String>,
}

fn counts() -> Counts {
    Counts {
        runs: 7,
        last: Some("2026-11-22T18:10".to_owned()),
    }
}

fn file() -> (tempfile::TempDir, StateFile) {
    let folder = tempfile::tempdir().unwrap();
    let file = StateFile::new(folder.path().join("cron.state"), "cron", 2);
    (folder, file)
}

fn names(folder: &tempfile::TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_saved_is_loaded_and_nothing_is_left_beside_it() {
    let (folder, file) = file();
    assert_eq!(file.load::<Counts>().unwrap(), Loaded::Nothing);
    file.save(&Counts { runs: 1, last: None }).unwrap();
    file.save(&counts()).unwrap();
    assert_eq!(file.load().unwrap(), Loaded::Found(counts()));
    assert_eq!(names(&folder), ["cron.state"]);
    let text = fs::read_to_string(file.path()).unwrap();
    assert_eq!(
        text,
        "mainstay-state cron 2 53552e32 36\n{\"runs\":7,\"last\":\"2026-11-22T18:10\"}"
    );
}

#[test]
fn a_crash_while_saving_leaves_the_old_content() {
    let (_folder, file) = file();
    file.save(&counts()).unwrap();
    // A crash before the rename: the new file is there, torn.
    fs::write(file.beside("new"), "mainstay-state cron 2 0000").unwrap();
    assert_eq!(file.load().unwrap(), Loaded::Found(counts()));
    file.save(&Counts { runs: 8, last: None }).unwrap();
    assert_eq!(file.load().unwrap(), Loaded::Found(Counts { runs: 8, last: None }));
}

#[test]
fn corrupt_files_are_set_aside_with_the_reason() {
    let good = "mainstay-state cron 2 53552e32 36\n{\"runs\":7,\"last\":\"2026-11-22T18:10\"}";
    let cases = [
        ("", "no first line"),
        ("{\"runs\":7}", "no first line"),
        ("\u{0}\u{0}\n", "first line not that of a state file"),
        (good.strip_suffix('}').unwrap(), "35 bytes, must be 36"),
        (&good.replace("cron", "nats"), "a state of nats, not of cron"),
        (&good.replace(" 2 ", " x "), "version \"x\" not a number"),
        (&good.replace(":7", ":8"), "checksum 5af33589, must be 53552e32"),
        (
            &good.replace("53552e32", "checksum"),
            "checksum 53552e32, must be checksum",
        ),
        (
            "mainstay-state cron 2 63439976 2\n{}",
            "not the content of a cron state: missing field `runs` at line 1 column 2",
        ),
    ];
    for (bytes, message) in cases {
        let (folder, file) = file();
        fs::write(file.path(), bytes).unwrap();
        let aside = folder.path().join("cron.state.corrupt-1");
        let loaded = file.load::<Counts>().unwrap();
        assert_eq!(
            loaded,
            Loaded::SetAside {
                path: aside.clone(),
                reason: message.to_owned()
            }
        );
        assert_eq!(fs::read_to_string(aside).unwrap(), bytes);
        assert_eq!(file.load::<Counts>().unwrap(), Loaded::Nothing);
    }
}

#[test]
fn corrupt_files_do_not_pile_up() {
    let (folder, file) = file();
    for number in 0..20 {
        fs::write(file.path(), format!("garbage {number}")).unwrap();
        file.load::<Counts>().unwrap();
    }
    let names = names(&folder);
    assert_eq!(names.len(), MAX_SET_ASIDE as usize);
    assert_eq!(
        fs::read_to_string(folder.path().join("cron.state.corrupt-1")).unwrap(),
        "garbage 0"
    );
    assert_eq!(
        fs::read_to_string(folder.path().join("cron.state.corrupt-9")).unwrap(),
        "garbage 19"
    );
}

#[test]
fn a_newer_file_is_an_error_and_left_as_it_is() {
    let (folder, file) = file();
    StateFile::new(file.path(), "cron", 3).save(&counts()).unwrap();
    let error = file.load::<Counts>().unwrap_err().to_string();
    let path = folder.path().join("cron.state");
    let message = "version 3, this service reads up to 2: run the newer one, or move the file away";
    assert_eq!(error, format!("{}: {message}", path.display()));
    assert_eq!(names(&folder), ["cron.state"]);
}

#[test]
fn an_older_file_is_read() {
    let (_folder, file) = file();
    StateFile::new(file.path(), "cron", 1)
        .save(&BTreeMap::from([("runs", 7)]))
        .unwrap();
    assert_eq!(file.load().unwrap(), Loaded::Found(Counts { runs: 7, last: None }));
}

#[test]
fn a_folder_that_is_not_there_is_an_error_that_names_the_file() {
    let (folder, _) = file();
    let path = folder.path().join("no").join("cron.state");
    let error = StateFile::new(&path, "cron", 1)
        .save(&counts())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(&format!("{}: create the new file: ", path.display())),
        "{error}"
    );
}

proptest! {
    #[test]
    fn any_change_of_a_file_is_noticed(position in 0usize..72, byte: u8) {
        let (_folder, file) = file();
        file.save(&counts()).unwrap();
        let mut bytes = fs::read(file.path()).unwrap();
        let position = position % bytes.len();
        prop_assume!(bytes[position] != byte);
        bytes[position] = byte;
        fs::write(file.path(), &bytes).unwrap();
        match file.load::<Counts>() {
            Ok(Loaded::SetAside { .. }) => {}
            other => prop_assert!(false, "{other:?}"),
        }
    }
}
