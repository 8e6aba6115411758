namespace PostTrain.Training.Diagnostics;

/// <summary>The training reward rises while the reward on held-out problems, or of a better judge, falls: reward hacking.</summary>
/// <remarks>Examined only for policies trained on rewards. A reward model in training also reports a mean reward, but it is the model's own
/// output.</remarks>
public sealed record ProxyAboveGold : HeldOutGap
{
    /// <summary>Name of the metric that training improves.</summary>
    /// <value>The default is <c>reward/mean</c>.</value>
    public string Proxy { get; init; } = "reward/mean";

    /// <summary>Name of the metric that should improve.</summary>
    /// <value>The default is <c>eval/reward/mean</c>.</value>
    public string Gold { get; init; } = "eval/reward/mean";

    /// <inheritdoc/>
    public override string Name => "proxy-above-gold";

    /// <inheritdoc/>
    public override string Advice =>
        "The policy is exploiting faults of the reward or memorising the training problems. Keep the checkpoint of the best evaluation, "
        + "compare earlier and recent completions, repair or retrain the reward, raise the KL weight, or stop earlier.";

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
