using PostTrain.Numerics;

namespace PostTrain.Training.Diagnostics;

/// <summary>An observer that watches the metrics of a run and raises warnings with advice.</summary>
/// <remarks>
/// A rule raises its <see cref="Warning"/> once, and again only after <see cref="QuietReports"/> consecutive reports without a finding. A
/// report whose step is lower than the previous one starts a new run. The warnings of a report (<see cref="StepReport.Warnings"/>) are
/// passed on. All warnings depend on the reports only, not on time. Calls may come from any thread.
/// </remarks>
/// <example><code>
/// var diagnostics = new TrainingDiagnostics(new Progress&lt;Warning&gt;(warning => Console.Error.WriteLine(warning)));
/// var options = new GrpoOptions { Observers = [diagnostics] };
/// </code></example>
public sealed class TrainingDiagnostics : IProgress<StepReport>
{
    private readonly Lock gate = new();
    private readonly IReadOnlyList<DiagnosticRule> rules;
    private readonly IProgress<Warning>? observer;
    private RunCourse course = new();
    private readonly List<Warning> warnings = [];
    private readonly int[] quiet;

    /// <param name="observer">Receives each warning, in the order in which they are raised; null for none.</param>
    /// <param name="rules">The rules to apply; null means <see cref="Defaults"/>, an empty list means none.</param>
    /// <exception cref="ArgumentOutOfRangeException">A threshold of a rule is out of range.</exception>
    public TrainingDiagnostics(IProgress<Warning>? observer = null, IReadOnlyList<DiagnosticRule>? rules = null)
    {
        this.rules = rules ?? Defaults;
        this.observer = observer;
        foreach (var rule in this.rules)
        {
            ArgumentNullException.ThrowIfNull(rule, nameof(rules));
            rule.Validate();
        }
        quiet = [.. Enumerable.Repeat(int.MaxValue, this.rules.Count)];
    }

    /// <summary>All rules with their default thresholds.</summary>
    public static IReadOnlyList<DiagnosticRule> Defaults { get; } =
    [
        new LearningRateWarmup(),
        new LearningRateZero(),
        new ZeroLoss(),
        new NoGradient(),
        new ExplodingGradient(),
        new LossNotFalling(),
        new OnPolicyClipping(),
        new EqualRewards(),
        new ZeroGradientGroups(),
        new ZeroAdvantages(),
        new StaleRollouts(),
        new EntropyCollapse(),
        new LengthDrift(),
        new UnfinishedCompletions(),
        new KlAcceleration(),
        new OneRewardComponent(),
        new ProxyAboveGold(),
        new Overfitting(),
        new NotFinite(),
    ];

    /// <summary>Consecutive reports without a finding after which a rule may raise its warning again, at least 1.</summary>
    /// <value>The default is 20.</value>
    public int QuietReports
    {
        get;
        init
        {
            Guard.AtLeast(value, 1, nameof(QuietReports));
            field = value;
        }
    } = 20;

    /// <summary>Warnings raised so far, oldest first.</summary>
    public IReadOnlyList<Warning> Warnings
    {
        get
        {
            lock (gate)
                return [.. warnings];
        }
    }

    /// <summary>Returns the warnings of a whole run, such as one read by <see cref="MetricsLog.Read"/>.</summary>
    public static IReadOnlyList<Warning> Of(IEnumerable<StepReport> reports, IReadOnlyList<DiagnosticRule>? rules = null)
    {
        ArgumentNullException.ThrowIfNull(reports);
        var diagnostics = new TrainingDiagnostics(rules: rules);
        foreach (var report in reports)
            diagnostics.Report(report);
        return diagnostics.Warnings;
    }

    /// <summary>Examines the report of a step.</summary>
    public void Report(StepReport value) => Look(value);

    /// <summary>Examines the report of a step and returns the warnings that it raises.</summary>
    /// <param name="value">The step.</param>
    /// <param name="tell">True to notify the observer. False when the reports of a resumed run are read back, which it has already
    /// received.</param>
    internal IReadOnlyList<Warning> Look(StepReport value, bool tell = true)
    {
        ArgumentNullException.ThrowIfNull(value);
        List<Warning> raised = [];
        lock (gate)
        {
            // A second run in the same log must not be compared with the first.
            if (value.Step < course.Step)
            {
                course = new RunCourse();
                Array.Fill(quiet, int.MaxValue);
            }
            course.Add(value);
            raised.AddRange(value.Warnings);
            for (int i = 0; i < rules.Count; i++)
            {
                if (rules[i].Look(course) is not { } finding)
                {
                    if (quiet[i] < int.MaxValue)
                        quiet[i]++;
                    continue;
                }
                if (quiet[i] >= QuietReports)
                    raised.Add(
                        new Warning(rules[i].Name, value.Step, finding.Value, finding.Message, rules[i].Advice) { Level = rules[i].Level }
                    );
                quiet[i] = 0;
            }
            warnings.AddRange(raised);
        }
        if (tell)
            Tell(raised);
        return raised;
    }

    /// <summary>Passes warnings to the observer.</summary>
    internal void Tell(IReadOnlyList<Warning> raised)
    {
        foreach (var warning in raised)
            observer?.Report(warning);
    }
}
