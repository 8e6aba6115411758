namespace PostTrain.Exact;

/// <summary>Why reinforced fine-tuning gains on the questions that supervised fine-tuning has used already: other valid ways than the one
/// shown count too.</summary>
/// <remarks>
/// The claim of ReFT (Luong et al. 2024, arXiv:2401.08967) in a world small enough for exact gradients: a linear softmax policy chooses one
/// of M ways to answer a question. All methods go on from the same supervised warm-up on the same questions. Expected: supervised &lt;
/// offline self-training &lt; reinforced where questions have several valid ways, no gain where each has one, less where wrong ways are
/// rewarded too. Nothing is sampled but the world.
/// </remarks>
public static class StrategyExperiment
{
    /// <summary>One world, all methods.</summary>
    /// <param name="options">Checked here.</param>
    /// <param name="seed">Draws the world, its questions and its demonstrations.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range.</exception>
    public static StrategyOutcome Run(StrategyOptions options, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        var world = new double[options.Strategies * options.Features];
        StrategyQuestions.Normal(world, seed, 0);
        var train = StrategyQuestions.Draw(options, world, options.TrainQuestions, options.GuessRate, seed, 100);
        var test = StrategyQuestions.Draw(options, world, options.TestQuestions, 0, seed, 200);

        var warmup = new StrategyPolicy(options.Features, options.Strategies);
        warmup.Imitate(train, train.Shown, options.WarmupSteps, options.LearningRate);
        var start = warmup.Probabilities(train);
        StrategyPolicy supervised = warmup.Copy(),
            selfTrained = warmup.Copy(),
            reinforced = warmup.Copy();
        supervised.Imitate(train, train.Shown, options.Steps, options.LearningRate);
        selfTrained.Imitate(train, Right(start, train.Rewards, options.Strategies), options.Steps, options.LearningRate);
        reinforced.Reinforce(train, start, options.Steps, options.LearningRate, options.Beta);
        return new StrategyOutcome(warmup.Accuracy(test), supervised.Accuracy(test), selfTrained.Accuracy(test), reinforced.Accuracy(test));
    }

    // π conditioned on a reward. The shown way is among the rewarded ones, so that there always is one.
    private static double[] Right(double[] probabilities, double[] rewards, int strategies)
    {
        double[] targets = [.. probabilities.Zip(rewards, (p, r) => p * r)];
        for (int start = 0; start < targets.Length; start += strategies)
        {
            var row = targets.AsSpan(start, strategies);
            double total = 0;
            foreach (double value in row)
                total += value;
            foreach (ref double value in row)
                value /= total;
        }
        return targets;
    }
}
