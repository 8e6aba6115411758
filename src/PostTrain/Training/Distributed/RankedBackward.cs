using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Training.Distributed;

/// <summary>The gradient of an update in parts that several ranks share.</summary>
/// <param name="ranks">The ranks.</param>
/// <param name="trained">Parameters that the optimiser updates.</param>
/// <param name="owners">Rank that holds the gradient of each of <paramref name="trained"/>; null: all hold all.</param>
/// <param name="seed">Seed of what a model draws in a part.</param>
internal sealed class RankedBackward(Ranks ranks, IReadOnlyList<Parameter> trained, int[]? owners, ulong seed)
{
    // Apart from the numbers that data and sampling draw of the same seed.
    private const ulong Stream = 3UL << 61;

    /// <summary>True if each rank holds the gradients of its own parameters only.</summary>
    internal bool IsSplit => owners is not null;

    /// <summary>The norm of all gradients, from that of this rank's own.</summary>
    internal double GlobalNorm(double own)
    {
        using var scope = NewDisposeScope();
        var square = tensor(new[] { own * own });
        ranks.Collectives!.AllReduce(square);
        return Math.Sqrt(square.ToDouble());
    }

    /// <summary>Adds up the gradients of all parts and returns the sum of their losses, the same on all ranks.</summary>
    /// <param name="parts">Number of parts.</param>
    /// <param name="update">Updates done.</param>
    /// <param name="backward">Computes a part's loss and adds its gradient.</param>
    /// <param name="clear">Clears the gradients.</param>
    /// <param name="means">Take what all parts add.</param>
    internal double Run(int parts, long update, Func<int, double> backward, Action clear, IReadOnlyList<MetricMeans> means)
    {
        double total =
            ranks.Options.FixedOrder ? InOrder(parts, update, backward, clear, means)
            : owners is not null ? OwnSums(parts, update, backward, clear, means)
            : Together(parts, update, backward, means);
        // What is drawn outside of parts does not depend on who computed which.
        manual_seed((long)CounterRandom.Bits(seed, Stream + (ulong)update, ulong.MaxValue));
        return total;
    }

    private double Together(int parts, long update, Func<int, double> backward, IReadOnlyList<MetricMeans> means)
    {
        var (results, present) = Exchange(means.Count, Own(0, parts), part => Backward(part, update, backward, means));
        GradientSums.AllReduce(ranks.Collectives!, trained, Any(present));
        return PartResult.AddUp(results, means);
    }

    // One round of parts after the other, so that no rank holds the sums of parameters that are not its own.
    private double OwnSums(int parts, long update, Func<int, double> backward, Action clear, IReadOnlyList<MetricMeans> means)
    {
        using var scope = NewDisposeScope();
        var all = new List<PartResult>();
        var sums = new Tensor?[trained.Count];
        for (int first = 0; first < parts; first += ranks.Size)
        {
            var (results, present) = Exchange(means.Count, Own(first, parts).Take(1), part => Backward(part, update, backward, means));
            all.AddRange(results);
            GradientSums.Reduce(ranks.Collectives!, trained, Any(present), owners!);
            for (int i = 0; i < trained.Count; i++)
                if (owners![i] == ranks.Rank && trained[i].grad is { } gradient)
                    sums[i] = Added(sums[i], gradient);
            if (first + ranks.Size < parts)
                clear();
        }
        Put(sums);
        return PartResult.AddUp(all, means);
    }

    private double InOrder(int parts, long update, Func<int, double> backward, Action clear, IReadOnlyList<MetricMeans> means)
    {
        using var scope = NewDisposeScope();
        var all = new List<PartResult>();
        var sums = new Tensor?[trained.Count];
        for (int first = 0; first < parts; first += ranks.Size)
        {
            if (first > 0)
                clear();
            var (results, present) = Exchange(means.Count, Own(first, parts).Take(1), part => Backward(part, update, backward, means));
            all.AddRange(results);
            int count = Math.Min(ranks.Size, parts - first);
            for (int i = 0; i < trained.Count; i++)
                if (present.Any(rank => rank[i]))
                    sums[i] = InOrder(sums[i], trained[i], [.. present.Take(count).Select(rank => rank[i])]);
        }
        Put(sums);
        return PartResult.AddUp(all, means);
    }

    // Adds the ranks' gradients to the sum, one after the other, as one process adds its parts.
    private Tensor InOrder(Tensor? sum, Parameter parameter, bool[] present)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var own = (parameter.grad ?? parameter.zeros_like()).contiguous();
        var all = own.new_empty([ranks.Size, own.NumberOfElements]);
        ranks.Collectives!.AllGather(own.view(-1), all);
        for (int rank = 0; rank < present.Length; rank++)
            if (present[rank])
                sum = Added(sum, all.select(0, rank).view_as(parameter));
        return sum!.MoveToOuterDisposeScope();
    }

    private static Tensor Added(Tensor? sum, Tensor gradient)
    {
        using var mode = no_grad();
        return sum is null ? gradient.clone() : sum.add_(gradient);
    }

    private void Put(Tensor?[] sums)
    {
        using var mode = no_grad();
        for (int i = 0; i < sums.Length; i++)
            trained[i].grad = sums[i];
    }

    private PartResult Backward(int part, long update, Func<int, double> backward, IReadOnlyList<MetricMeans> means)
    {
        manual_seed((long)CounterRandom.Bits(seed, Stream + (ulong)update, (ulong)part));
        return PartResult.Of(part, () => backward(part), means);
    }

    private IEnumerable<int> Own(int first, int parts)
    {
        for (int part = first + ranks.Rank; part < parts; part += ranks.Size)
            yield return part;
    }

    // Results of all ranks, and which gradients each of them has.
    private (List<PartResult> Results, bool[][] Present) Exchange(int means, IEnumerable<int> own, Func<int, PartResult> backward)
    {
        var messages = ranks.Exchange(
            "an update",
            writer =>
            {
                PartResult[] results = [.. own.Select(backward)];
                writer.Write(results.Length);
                foreach (var result in results)
                    result.Write(writer);
                foreach (var parameter in trained)
                {
                    using var gradient = parameter.grad;
                    writer.Write(gradient is not null);
                }
            }
        );
        var all = new List<PartResult>();
        var present = new bool[messages.Length][];
        for (int rank = 0; rank < messages.Length; rank++)
        {
            using var reader = Ranks.Reader(messages[rank]);
            for (int left = reader.ReadInt32(); left > 0; left--)
                all.Add(PartResult.Read(reader, means));
            present[rank] = [.. trained.Select(_ => reader.ReadBoolean())];
        }
        return (all, present);
    }

    private bool[] Any(bool[][] present) => [.. Enumerable.Range(0, trained.Count).Select(i => present.Any(rank => rank[i]))];
}
