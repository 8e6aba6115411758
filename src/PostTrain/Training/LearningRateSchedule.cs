namespace PostTrain.Training;

/// <summary>How the learning rate goes on after warm-up.</summary>
public enum LearningRateSchedule
{
    /// <summary>Stays.</summary>
    Constant,

    /// <summary>Falls in a straight line to 0 at the last step.</summary>
    Linear,

    /// <summary>Falls along half a cosine to 0 at the last step.</summary>
    Cosine,
}

/// <summary>The values of a <see cref="LearningRateSchedule"/>.</summary>
public static class LearningRateSchedules
{
    /// <summary>What the learning rate is multiplied with at a step: step/warmup during warm-up, then 1, 1 − x or (1 + cos πx)/2 with x the share of the rest that is over.</summary>
    /// <param name="schedule">The form after warm-up.</param>
    /// <param name="step">Updates done before this one, 0 and up.</param>
    /// <param name="warmupSteps">Steps of warm-up, at least 0.</param>
    /// <param name="totalSteps">Steps of the whole run; from there on the multiplier stays where it is.</param>
    /// <returns>Between 0 and 1.</returns>
    public static double Multiplier(this LearningRateSchedule schedule, long step, long warmupSteps, long totalSteps)
    {
        if (step < warmupSteps) return (double)step / warmupSteps;
        double over = Math.Clamp((double)(step - warmupSteps) / Math.Max(1, totalSteps - warmupSteps), 0, 1);
        return schedule switch
        {
            LearningRateSchedule.Constant => 1,
            LearningRateSchedule.Linear => 1 - over,
            LearningRateSchedule.Cosine => 0.5 * (1 + Math.Cos(Math.PI * over)),
            _ => throw new ArgumentOutOfRangeException(nameof(schedule), schedule, "expected Constant, Linear or Cosine"),
        };
    }
}
