namespace PostTrain.Training.Distributed;

/// <summary>The parts of an evaluation: each is computed by one of the ranks, and all get the means.</summary>
internal sealed class PartTable(Ranks ranks, MetricMeans means)
{
    private readonly List<PartResult> own = [];
    private readonly List<(int Parts, double Denominator)> batches = [];
    private Exception? error;
    private int count;
    private int before;

    /// <summary>Computes a part, if it is this rank's.</summary>
    /// <param name="row">Passed on.</param>
    /// <param name="loss">The loss of the part; adds to the means.</param>
    internal void Add(int row, Func<int, double> loss)
    {
        int part = count++;
        if (!ranks.Owns(part) || error is not null)
            return;
        try
        {
            own.Add(PartResult.Of(part, () => loss(row), [means]));
        }
        catch (Exception exception) when (!ranks.IsAlone)
        {
            // Told at the end, where the others wait.
            error = exception;
        }
    }

    /// <summary>Ends a batch, whose parts' losses add up to its loss.</summary>
    internal void EndBatch(double denominator)
    {
        batches.Add((count - before, denominator));
        before = count;
    }

    /// <summary>Adds to the means what all parts gave, and each batch's <c>loss</c>, weighted by its denominator.</summary>
    internal void AddUp()
    {
        var all = ranks.IsAlone ? own : Gathered();
        int next = 0;
        foreach (var (parts, denominator) in batches)
        {
            means.Add("loss", PartResult.AddUp(all.Skip(next).Take(parts), [means]), denominator);
            next += parts;
        }
    }

    private List<PartResult> Gathered()
    {
        var messages = ranks.Exchange(
            "an evaluation",
            writer =>
            {
                if (error is not null)
                    System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(error);
                writer.Write(own.Count);
                foreach (var part in own)
                    part.Write(writer);
            }
        );
        var all = new List<PartResult>();
        foreach (var message in messages)
        {
            using var reader = Ranks.Reader(message);
            for (int left = reader.ReadInt32(); left > 0; left--)
                all.Add(PartResult.Read(reader, 1));
        }
        all.Sort((one, other) => one.Part.CompareTo(other.Part));
        return all;
    }
}

/// <summary>Results of a part of an update besides gradients.</summary>
/// <param name="Part">Number of the part.</param>
/// <param name="Loss">Its share of the loss.</param>
/// <param name="Means">Its addends to the update's means.</param>
internal sealed record PartResult(int Part, double Loss, IReadOnlyList<IReadOnlyList<MetricEntry>> Means)
{
    internal void Write(BinaryWriter writer)
    {
        writer.Write(Part);
        writer.Write(Loss);
        foreach (var entries in Means)
        {
            writer.Write(entries.Count);
            foreach (var (name, mean, weight) in entries)
            {
                writer.Write(name);
                writer.Write(mean);
                writer.Write(weight);
            }
        }
    }

    internal static PartResult Read(BinaryReader reader, int means)
    {
        int part = reader.ReadInt32();
        double loss = reader.ReadDouble();
        var all = new MetricEntry[means][];
        for (int i = 0; i < means; i++)
        {
            all[i] = new MetricEntry[reader.ReadInt32()];
            for (int k = 0; k < all[i].Length; k++)
                all[i][k] = new MetricEntry(reader.ReadString(), reader.ReadDouble(), reader.ReadDouble());
        }
        return new PartResult(part, loss, all);
    }

    /// <summary>Computes a part, with what it adds to the means kept apart.</summary>
    internal static PartResult Of(int part, Func<double> loss, IReadOnlyList<MetricMeans> means)
    {
        foreach (var mean in means)
            mean.BeginRecord();
        try
        {
            return new PartResult(part, loss(), [.. means.Select(mean => mean.Recorded)]);
        }
        finally
        {
            foreach (var mean in means)
                mean.EndRecord();
        }
    }

    /// <summary>Adds what all parts gave to the means, in the order of parts, and returns the sum of the losses.</summary>
    internal static double AddUp(IEnumerable<PartResult> parts, IReadOnlyList<MetricMeans> means)
    {
        double total = 0;
        foreach (var part in parts.OrderBy(part => part.Part))
        {
            total += part.Loss;
            for (int i = 0; i < means.Count; i++)
                foreach (var (name, mean, weight) in part.Means[i])
                    means[i].Add(name, mean, weight);
        }
        return total;
    }
}

/// <summary>A mean that a part adds to those of its update.</summary>
/// <param name="Name">Name of the metric.</param>
/// <param name="Mean">Mean over the part.</param>
/// <param name="Weight">Weight of the part.</param>
internal readonly record struct MetricEntry(string Name, double Mean, double Weight);
