//! What a report counts.

use super::*;
use crate::eval::manifest;

/// A place is right when it overlaps a box; presentations are no false alarms, and what is blind
/// alarms nobody.
#[test]
fn a_report_counts_what_was_said() {
    let text = "file,failure,group,kind,boxes\na/1,1,g1,,0:.25:.25:.5:.5\n\
        a/2,1,g2,,0:.25:.25:.5:.5\na/3,1,g3,,\na/4,0,g4,,\na/5,0,g5,presentation,\na/6,0,g6,,\n";
    let entries = manifest::parse(text).unwrap();
    let judged = |evidence, place| Seen {
        answer: Answer::Judged {
            evidence,
            strongest: evidence,
            place,
        },
    };
    let seen = [
        judged(3.0, Some([0.4, 0.4, 0.7, 0.7])),
        judged(2.0, Some([0.6, 0.6, 0.7, 0.7])),
        Seen {
            answer: Answer::Blind("it is dark".to_owned()),
        },
        judged(-2.0, None),
        judged(4.0, None),
        judged(1.0, None),
    ];
    let report = Report::of("test", &entries, &seen);
    let Places {
        boxed,
        told,
        overlaps,
        middles,
    } = report.places;
    assert_eq!((boxed, told, overlaps, middles), (2, 2, 1, 0));
    assert!((report.recall[0].2.value - 2.0 / 3.0).abs() < 1e-9);
    assert_eq!((report.scenes, report.usual), ([2, 3], -0.5));
    let told: Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!(told["not_judged"]["it is dark"], 1);
    assert_eq!(told["sources"][0]["failed"]["blind"], 1);
    assert!(
        crate::eval::chart::draw(&report)
            .unwrap()
            .starts_with(b"\x89PNG")
    );
}
