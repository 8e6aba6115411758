namespace PostTrain.Exact;

/// <summary>The policy π(strategy|x) = softmax(θx), trained by full gradients without sampling.</summary>
internal sealed class StrategyPolicy(int features, int strategies)
{
    private readonly double[] theta = new double[features * strategies];

    internal StrategyPolicy Copy()
    {
        var copy = new StrategyPolicy(features, strategies);
        theta.CopyTo(copy.theta, 0);
        return copy;
    }

    /// <summary>Computes the probabilities of all strategies for all questions, [n,M].</summary>
    internal double[] Probabilities(StrategyQuestions questions)
    {
        var all = new double[questions.Count * strategies];
        for (int i = 0; i < questions.Count; i++)
        {
            var row = all.AsSpan(i * strategies, strategies);
            var x = questions.Features.AsSpan(i * features, features);
            double largest = double.NegativeInfinity,
                total = 0;
            for (int way = 0; way < strategies; way++)
            {
                row[way] = StrategyQuestions.Dot(theta.AsSpan(way * features, features), x);
                largest = Math.Max(largest, row[way]);
            }
            foreach (ref double value in row)
                total += value = Math.Exp(value - largest);
            foreach (ref double value in row)
                value /= total;
        }
        return all;
    }

    /// <summary>Ascends the mean log-likelihood Σ_a q(a) log π(a); its gradient in a logit is q − π.</summary>
    internal void Imitate(StrategyQuestions questions, double[] targets, int steps, double rate)
    {
        for (int step = 0; step < steps; step++)
        {
            var slopes = Probabilities(questions);
            for (int i = 0; i < slopes.Length; i++)
                slopes[i] = targets[i] - slopes[i];
            Ascend(questions, slopes, rate);
        }
    }

    /// <summary>Ascends E[r] − β·KL(π‖π_ref); its gradient in a logit is π(a)(r(a) − β·log(π/π_ref) − mean of this under π). The KL's own
    /// derivative, 1, cancels.</summary>
    internal void Reinforce(StrategyQuestions questions, double[] referenceProbabilities, int steps, double rate, double beta)
    {
        for (int step = 0; step < steps; step++)
        {
            var slopes = Probabilities(questions);
            for (int i = 0; i < questions.Count; i++)
            {
                double mean = 0;
                var gains = new double[strategies];
                for (int way = 0; way < strategies; way++)
                {
                    int place = i * strategies + way;
                    gains[way] = questions.Rewards[place] - (beta > 0 ? beta * Math.Log(slopes[place] / referenceProbabilities[place]) : 0);
                    mean += slopes[place] * gains[way];
                }
                for (int way = 0; way < strategies; way++)
                    slopes[i * strategies + way] *= gains[way] - mean;
            }
            Ascend(questions, slopes, rate);
        }
    }

    /// <summary>Computes the accuracy: the probability of a valid strategy.</summary>
    internal StrategyAccuracy Accuracy(StrategyQuestions questions)
    {
        var probabilities = Probabilities(questions);
        double greedy = 0;
        for (int i = 0; i < questions.Count; i++)
        {
            var row = probabilities.AsSpan(i * strategies, strategies);
            int best = 0;
            for (int way = 1; way < strategies; way++)
                if (row[way] > row[best])
                    best = way;
            greedy += questions.Valid[i * strategies + best];
        }
        return new StrategyAccuracy(StrategyQuestions.Dot(probabilities, questions.Valid) / questions.Count, greedy / questions.Count);
    }

    private void Ascend(StrategyQuestions questions, double[] slopes, double rate)
    {
        var gradient = new double[theta.Length];
        for (int i = 0; i < questions.Count; i++)
        for (int way = 0; way < strategies; way++)
        {
            double slope = slopes[i * strategies + way];
            for (int d = 0; d < features; d++)
                gradient[way * features + d] += slope * questions.Features[i * features + d];
        }
        for (int j = 0; j < theta.Length; j++)
            theta[j] += rate / questions.Count * gradient[j];
    }
}
