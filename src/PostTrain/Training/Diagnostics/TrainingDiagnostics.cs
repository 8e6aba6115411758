using PostTrain.Numerics;

namespace PostTrain.Training.Diagnostics;

/// <summary>An observer that watches the metrics of a run and says in words what is going wrong, or only looks so.</summary>
/// <remarks>
/// Each rule raises its <see cref="Warning"/> once an episode: again only after it has had nothing to say for <see cref="QuietReports"/>
/// reports in a row. A step that is before the last one begins another run. The warnings are a function of the reports, whatever the time
/// they took. Calls may come from any thread.
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

    /// <param name="observer">Told of each warning in the order in which they are raised; null for nobody.</param>
    /// <param name="rules">What to look for; null is <see cref="Defaults"/>, and an empty list looks for nothing.</param>
    /// <exception cref="ArgumentOutOfRangeException">A rule's threshold is out of range.</exception>
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

    /// <summary>Every rule with its default thresholds.</summary>
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
        new EntropyCollapse(),
        new LengthDrift(),
        new KlAcceleration(),
        new OneRewardComponent(),
        new ProxyAboveGold(),
        new Overfitting(),
        new NotFinite(),
    ];

    /// <summary>Reports without a finding after which a rule may raise its warning again, at least 1.</summary>
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

    /// <summary>What was raised so far, oldest first.</summary>
    public IReadOnlyList<Warning> Warnings
    {
        get
        {
            lock (gate)
                return [.. warnings];
        }
    }

    /// <summary>The warnings of a whole run, for instance of <see cref="MetricsLog.Read"/>.</summary>
    public static IReadOnlyList<Warning> Of(IEnumerable<StepReport> reports, IReadOnlyList<DiagnosticRule>? rules = null)
    {
        ArgumentNullException.ThrowIfNull(reports);
        var diagnostics = new TrainingDiagnostics(rules: rules);
        foreach (var report in reports)
            diagnostics.Report(report);
        return diagnostics.Warnings;
    }

    /// <summary>Takes in a step.</summary>
    public void Report(StepReport value) => Look(value);

    /// <summary>Takes in a step; the warnings that it raises.</summary>
    /// <param name="value">The step.</param>
    /// <param name="tell">Whether the observer is told, who has heard it already where a resumed run is read back.</param>
    internal IReadOnlyList<Warning> Look(StepReport value, bool tell = true)
    {
        ArgumentNullException.ThrowIfNull(value);
        List<Warning> raised = [];
        lock (gate)
        {
            // A second run into the same log, which must not be compared with the first.
            if (value.Step < course.Step)
            {
                course = new RunCourse();
                Array.Fill(quiet, int.MaxValue);
            }
            course.Add(value);
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

    /// <summary>Tells the observer of warnings.</summary>
    internal void Tell(IReadOnlyList<Warning> raised)
    {
        foreach (var warning in raised)
            observer?.Report(warning);
    }
}
