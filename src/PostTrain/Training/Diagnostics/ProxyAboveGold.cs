namespace PostTrain.Training.Diagnostics;

/// <summary>The reward that is trained rises while the one on held-out problems, or of a better judge, falls: reward hacking.</summary>
/// <remarks>Only for policies that are judged by rewards. The mean reward of a reward model that is being trained is its own output, on
/// training pairs and on held-out ones.</remarks>
public sealed record ProxyAboveGold : HeldOutGap
{
    /// <summary>The metric that training improves.</summary>
    /// <value>The default is <c>reward/mean</c>.</value>
    public string Proxy { get; init; } = "reward/mean";

    /// <summary>The metric that it is meant to improve.</summary>
    /// <value>The default is <c>eval/reward/mean</c>.</value>
    public string Gold { get; init; } = "eval/reward/mean";

    /// <inheritdoc/>
    public override string Name => "proxy-above-gold";

    /// <inheritdoc/>
    public override string Advice =>
        "The policy is learning the reward's faults (or the training problems by heart). Keep the checkpoint of the best evaluation, read completions of both times, repair or re-train the reward, raise the KL weight, stop earlier.";

    /// <inheritdoc/>
    public override Finding? Look(RunCourse course)
    {
        ArgumentNullException.ThrowIfNull(course);
        return course.HasReward ? base.Look(course) : null;
    }

    private protected override string Training => Proxy;

    private protected override string HeldOutMetric => Gold;

    private protected override double Sign => 1;
}
