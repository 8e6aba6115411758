namespace PostTrain.Training.Reports;

/// <summary>The style sheet of <see cref="HtmlReport"/>.</summary>
internal static class ReportStyle
{
    // No child combinators: '>' is the only character here that XML would escape.
    public const string Css = """

        :root {
          color-scheme: light dark;
          --page: #faf9f7; --card: #ffffff; --line: #e6e3dd; --grid: #efece7; --soft: #f4f2ee;
          --ink: #1d1f23; --text: #3b3f46; --muted: #767b84;
          --good: #1a7f4e; --good-soft: #e6f4ec; --bad: #b8383f; --bad-soft: #fbeaea;
          --s0: #2f62c8; --s1: #d0742a; --s2: #17876d; --s3: #8a4fb5; --s4: #c23f68; --s5: #6b7480;
        }
        @media screen and (prefers-color-scheme: dark) {
          :root {
            --page: #14161a; --card: #1b1e23; --line: #2c3037; --grid: #262a30; --soft: #22262c;
            --ink: #f0f1f3; --text: #c4c8cf; --muted: #8b919b;
            --good: #63cf98; --good-soft: #17321f; --bad: #f0868b; --bad-soft: #3a1f22;
            --s0: #79a3f7; --s1: #eba25f; --s2: #52c2a5; --s3: #bf92e6; --s4: #ee7f9f; --s5: #9aa3af;
          }
        }
        * { box-sizing: border-box; margin: 0; }
        html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
        body {
          background: var(--page); color: var(--text);
          font: 15px/1.55 Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", Arial, sans-serif;
          font-variant-numeric: tabular-nums; -webkit-font-smoothing: antialiased;
        }
        main { max-width: 1120px; margin: 0 auto; padding: 56px 32px 80px; }
        h1 { color: var(--ink); font-size: 30px; line-height: 1.2; font-weight: 650; letter-spacing: -0.02em; text-wrap: balance; }
        h2 { color: var(--ink); font-size: 17px; line-height: 1.3; font-weight: 620; letter-spacing: -0.008em; margin-bottom: 14px; }
        section { margin-top: 44px; }
        .subtitle { margin-top: 8px; font-size: 16px; color: var(--text); max-width: 46em; text-wrap: pretty; }
        .prose { max-width: 46em; white-space: pre-line; }
        .facts { display: flex; flex-wrap: wrap; gap: 2px 20px; padding: 0; margin-bottom: 14px; list-style: none; font-size: 12.5px; color: var(--muted); }

        .tiles { display: flex; flex-wrap: wrap; gap: 1px; margin-top: 32px;
          background: var(--line); border: 1px solid var(--line); border-radius: 12px; overflow: hidden; }
        .tiles div { flex: 1 1 150px; background: var(--card); padding: 16px 20px 17px; }
        .tiles dt { font-size: 12.5px; color: var(--muted); }
        .tiles .figure { margin-top: 3px; color: var(--ink); font-size: 25px; line-height: 1.25; font-weight: 600; letter-spacing: -0.02em; }
        .tiles .note { margin-top: 2px; font-size: 12.5px; color: var(--muted); }

        .scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
        table { width: 100%; border-collapse: collapse; font-size: 14px; }
        th, td { padding: 10px 20px; text-align: left; vertical-align: baseline; }
        thead th { font-size: 12.5px; font-weight: 500; color: var(--muted); border-bottom: 1px solid var(--line); white-space: nowrap; }
        tbody th { font-weight: 500; color: var(--ink); white-space: nowrap; }
        tbody tr + tr th, tbody tr + tr td { border-top: 1px solid var(--grid); }
        th.number, td.number { text-align: right; white-space: nowrap; }
        td.strong { color: var(--ink); font-weight: 600; }
        .proportions .bar { width: 44%; min-width: 130px; }
        .proportions td { vertical-align: middle; }
        .interval { display: block; width: 100%; height: 22px; }
        .interval .track { fill: var(--soft); }
        .interval .value { fill: var(--s0); opacity: .38; }
        .interval line { stroke: var(--s0); stroke-width: 1.6; vector-effect: non-scaling-stroke; }

        .charts { display: grid; grid-template-columns: minmax(0, 1fr); gap: 18px; }
        figure { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 15px 14px 10px; }
        figcaption { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 8px; padding: 0 6px 8px; }
        figcaption .title { color: var(--ink); font-size: 14px; font-weight: 600; }
        figcaption .unit { color: var(--muted); font-size: 12.5px; }
        figcaption .last { margin-left: auto; color: var(--ink); font-size: 14px; font-weight: 500; }
        .legend { margin-left: auto; display: flex; flex-wrap: wrap; gap: 0 14px; font-size: 12.5px; }
        .key::before { content: ""; display: inline-block; width: 12px; height: 3px; border-radius: 2px; margin-right: 6px; vertical-align: 3px; background: var(--k); }
        .k0 { --k: var(--s0); } .k1 { --k: var(--s1); } .k2 { --k: var(--s2); } .k3 { --k: var(--s3); } .k4 { --k: var(--s4); } .k5 { --k: var(--s5); }

        .chart { display: block; width: 100%; height: auto; overflow: visible; }
        .chart text { font-size: 10px; fill: var(--muted); }
        .chart .none { font-size: 12px; }
        .chart .grid { stroke: var(--grid); stroke-width: 1; }
        .chart .axis { stroke: var(--line); stroke-width: 1; }
        .chart path { fill: none; stroke: var(--k); stroke-width: 1.7; stroke-linejoin: round; stroke-linecap: round; }
        .chart path.raw { stroke-width: 1; opacity: .26; }
        .chart path.dashed { stroke-dasharray: 5 3; }
        .key.dashed::before { background: repeating-linear-gradient(90deg, var(--k) 0 5px, transparent 5px 7px); }
        .chart circle { fill: var(--k); }
        .chart circle.raw { opacity: .4; }
        .frontier .range { stroke: var(--k); stroke-width: 1.4; opacity: .55; }
        .frontier .leader { stroke: var(--muted); stroke-width: .6; opacity: .6; }
        .frontier path { stroke-width: 1.2; opacity: .5; }
        .c0 { --k: var(--s0); } .c1 { --k: var(--s1); } .c2 { --k: var(--s2); } .c3 { --k: var(--s3); } .c4 { --k: var(--s4); } .c5 { --k: var(--s5); }
        .chart.live { cursor: crosshair; touch-action: pan-y; }
        .marks { pointer-events: none; }
        .marks line { stroke: var(--muted); stroke-width: 1; stroke-dasharray: 2 2; }
        .chart .marks circle { stroke: var(--card); stroke-width: 1.4; }
        .shade { fill: var(--s0); opacity: .14; pointer-events: none; }
        figure { position: relative; }
        .tools { display: inline-flex; gap: 6px; }
        .tools button { font: inherit; font-size: 11.5px; color: var(--muted); background: none; border: 1px solid var(--line);
          border-radius: 99px; padding: 0 8px; cursor: pointer; }
        .tools button:hover, .tools button[aria-pressed=true] { color: var(--ink); border-color: var(--muted); }
        .tools button[hidden] { display: none; }
        .tip { position: absolute; z-index: 2; display: grid; gap: 1px; padding: 7px 11px; font-size: 12.5px; color: var(--ink); background: var(--card);
          border: 1px solid var(--line); border-radius: 8px; box-shadow: 0 3px 14px rgb(0 0 0 / .18); pointer-events: none; white-space: nowrap; }
        .tip[hidden] { display: none; }
        .tip b { font-weight: 500; color: var(--muted); }

        .pair { background: var(--card); border: 1px solid var(--line); border-radius: 12px; overflow: hidden; }
        .pair + .pair { margin-top: 14px; }
        pre { font: 13px/1.6 ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace;
          white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; }
        .prompt { padding: 12px 20px; background: var(--soft); color: var(--ink); border-bottom: 1px solid var(--line); }
        .sides { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
        .side { padding: 12px 20px 15px; }
        .side + .side { border-left: 1px solid var(--grid); }
        .side .empty { color: var(--muted); }
        .label { display: flex; align-items: baseline; justify-content: space-between; gap: 12px; margin-bottom: 5px; font-size: 12.5px; color: var(--muted); }
        .verdict { padding: 1px 9px; border-radius: 99px; font-size: 12px; font-weight: 550; white-space: nowrap; }
        .good { color: var(--good); background: var(--good-soft); }
        .bad { color: var(--bad); background: var(--bad-soft); }

        .shares { padding: 18px 20px 16px; }
        .share { display: block; width: 100%; height: 30px; border-radius: 6px; }
        .share rect { fill: var(--k); }
        .shares dl { display: flex; flex-wrap: wrap; gap: 10px 34px; margin-top: 14px; font-size: 13.5px; }
        .shares dt { color: var(--muted); font-size: 12.5px; }
        .shares dd { display: inline; margin-right: 8px; }
        .shares dd.strong { color: var(--ink); font-weight: 600; }
        td.text { white-space: pre-line; overflow-wrap: anywhere; }
        td.text:first-child { overflow-wrap: normal; }

        .warning { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--bad); border-radius: 12px; padding: 11px 20px 13px 17px; font-size: 14px; }
        .warning + .warning { margin-top: 10px; }
        .warning p { max-width: 66em; text-wrap: pretty; }
        .warning .name { color: var(--bad); font-weight: 600; }
        .warning .seen { color: var(--ink); font-weight: 500; }
        .warning.note { border-left-color: var(--s0); }
        .warning.note .name { color: var(--s0); }

        details summary { cursor: pointer; color: var(--muted); font-size: 14px; }
        details[open] summary { margin-bottom: 10px; }

        .settings { columns: 2 420px; column-gap: 40px; font-size: 13.5px; }
        .settings div { display: flex; justify-content: space-between; gap: 20px; padding: 6px 0; border-bottom: 1px solid var(--grid); break-inside: avoid; }
        .settings dt { color: var(--muted); }
        .settings dd { color: var(--ink); text-align: right; overflow-wrap: anywhere; }

        @media (min-width: 900px) { .charts { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); } }
        @media (max-width: 600px) {
          main { padding: 28px 16px 48px; }
          h1 { font-size: 24px; }
          section { margin-top: 34px; }
              .tiles div { flex-basis: 40%; padding: 13px 15px 14px; }
          .tiles .figure { font-size: 21px; }
          .sides { grid-template-columns: minmax(0, 1fr); }
          .side + .side { border-left: 0; border-top: 1px solid var(--grid); }
          table { font-size: 13px; }
          th, td { padding: 9px 7px; }
          th:first-child, td:first-child { padding-left: 12px; }
          th:last-child, td:last-child { padding-right: 12px; }
          .proportions .bar { width: auto; min-width: 60px; }
          figure { padding: 13px 8px 8px; }
        }
        @media print {
          :root { color-scheme: light; --page: #fff; --soft: #f6f5f2; }
          body { font-size: 11pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
          main { max-width: none; padding: 0; }
          .charts { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
          figure, .pair, .tiles, tr { break-inside: avoid; }
          h2 { break-after: avoid; }
          .tools, .tip { display: none; }
          .tiles div { flex-basis: 100px; }
          .settings { columns: 2; }
        }

        """;
}
