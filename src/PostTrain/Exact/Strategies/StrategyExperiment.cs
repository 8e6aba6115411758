namespace PostTrain.Exact;

/// <summary>An exact experiment on why reinforced fine-tuning improves on questions already used for supervised fine-tuning: it rewards
/// valid strategies other than the demonstrated one.</summary>
/// <remarks>
/// Tests the claim of ReFT (Luong et al. 2024, arXiv:2401.08967) on a problem small enough for exact gradients: a linear softmax policy
/// chooses one of M strategies to answer a question. All methods start from the same supervised warm-up and use the same questions.
/// Expected: supervised &lt; offline self-training &lt; reinforced if questions have several valid strategies; no gain if each has one; a
/// smaller gain if wrong strategies are rewarded too. Only the problem itself is random.
/// </remarks>
public static class StrategyExperiment
{
    /// <summary>Runs all methods on one random problem.</summary>
    /// <param name="options">The options; validated here.</param>
    /// <param name="seed">Seed of the true scores, the questions and the demonstrations.</param>
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

    // π conditioned on a reward. The demonstrated strategy is rewarded, so there always is one.
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
