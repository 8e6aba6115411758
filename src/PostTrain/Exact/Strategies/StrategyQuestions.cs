using PostTrain.Numerics;

namespace PostTrain.Exact;

/// <summary>Questions of one problem: features [n,D], and for each strategy [n,M] its validity, its reward and whether it is
/// demonstrated.</summary>
internal sealed class StrategyQuestions
{
    private StrategyQuestions(int count, int features, int strategies)
    {
        Count = count;
        Features = new double[count * features];
        Valid = new double[count * strategies];
        Rewards = new double[count * strategies];
        Shown = new double[count * strategies];
    }

    internal int Count { get; }

    internal double[] Features { get; }

    internal double[] Valid { get; }

    internal double[] Rewards { get; }

    internal double[] Shown { get; }

    /// <summary>Draws questions as a function of the seed and the stream.</summary>
    internal static StrategyQuestions Draw(StrategyOptions options, double[] world, int count, double guessRate, ulong seed, ulong stream)
    {
        int features = options.Features,
            ways = options.Strategies;
        var questions = new StrategyQuestions(count, features, ways);
        Normal(questions.Features, seed, stream);
        var noise = new double[count * ways];
        Normal(noise, seed, stream + 1);
        for (int i = 0; i < count; i++)
        {
            var x = questions.Features.AsSpan(i * features, features);
            var scores = new double[ways];
            for (int way = 0; way < ways; way++)
                scores[way] = Dot(world.AsSpan(way * features, features), x) + options.Noise * noise[i * ways + way];
            int[] best = [.. Enumerable.Range(0, ways).OrderByDescending(way => scores[way])];
            int valid = 1 + CounterRandom.Below(options.MostValid, seed, stream + 2, (ulong)i);
            questions.Shown[i * ways + best[CounterRandom.Below(valid, seed, stream + 3, (ulong)i)]] = 1;
            for (int rank = 0; rank < ways; rank++)
            {
                int place = i * ways + best[rank];
                questions.Valid[place] = rank < valid ? 1 : 0;
                questions.Rewards[place] = rank < valid || CounterRandom.Uniform(seed, stream + 4, (ulong)place) < guessRate ? 1 : 0;
            }
        }
        return questions;
    }

    /// <summary>Fills an array with N(0, 1) values.</summary>
    internal static void Normal(double[] values, ulong seed, ulong stream)
    {
        var drawn = new float[values.Length];
        CounterRandom.FillNormal(drawn, seed, stream, 1);
        for (int i = 0; i < values.Length; i++)
            values[i] = drawn[i];
    }

    internal static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += a[i] * b[i];
        return sum;
    }
}
