namespace PostTrain.Training.Distributed;

/// <summary>What a part of an update gave besides gradients.</summary>
/// <param name="Part">Number of the part.</param>
/// <param name="Loss">Its share of the loss.</param>
/// <param name="Means">What it added to each of the update's means.</param>
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
