using PostTrain.Rollouts;
using static TorchSharp.torch;

namespace PostTrain.Training.Distributed;

/// <summary>Drawn completions as bytes of a message.</summary>
internal static class SampleMessage
{
    /// <summary>Writes the rows of a draw; null: none.</summary>
    internal static void Write(BinaryWriter writer, RolloutBatch? drawn)
    {
        writer.Write(drawn?.Completions.Count ?? 0);
        if (drawn is null)
            return;
        writer.Write((sbyte)drawn.DrawnLogProbs.dtype);
        double[][] logProbs = Rows(drawn.DrawnLogProbs);
        double[][]? kept = drawn.KeptMass is null ? null : Rows(drawn.KeptMass);
        for (int row = 0; row < drawn.Completions.Count; row++)
        {
            int[] tokens = drawn.Completions[row];
            writer.Write(tokens.Length);
            foreach (int token in tokens)
                writer.Write(token);
            Write(writer, logProbs[row].AsSpan(0, tokens.Length));
            writer.Write(
                (byte)(
                    drawn.Finishes.Count > 0 ? drawn.Finishes[row]
                    : drawn.Finished[row] ? RolloutFinish.Stop
                    : RolloutFinish.Length
                )
            );
            writer.Write(kept is not null);
            if (kept is not null)
                Write(writer, kept[row].AsSpan(0, tokens.Length));
            writer.Write(drawn.Drawn?[row] is not null);
            foreach (bool own in drawn.Drawn?[row] ?? [])
                writer.Write(own);
            var version = drawn.Versions.Count > 0 ? drawn.Versions[row] : null;
            writer.Write(version is not null);
            writer.Write(version ?? 0);
        }
    }

    /// <summary>Adds a rank's rows to those of earlier ranks and returns the type of their log-probs; null where it has none.</summary>
    internal static ScalarType? Read(BinaryReader reader, List<RolloutSample> samples)
    {
        int rows = reader.ReadInt32();
        if (rows == 0)
            return null;
        var type = (ScalarType)reader.ReadSByte();
        for (; rows > 0; rows--)
        {
            var tokens = new int[reader.ReadInt32()];
            for (int i = 0; i < tokens.Length; i++)
                tokens[i] = reader.ReadInt32();
            var logProbs = Doubles(reader, tokens.Length);
            var finish = (RolloutFinish)reader.ReadByte();
            double[]? kept = reader.ReadBoolean() ? Doubles(reader, tokens.Length) : null;
            bool[]? drawn = reader.ReadBoolean() ? [.. tokens.Select(_ => reader.ReadBoolean())] : null;
            bool hasVersion = reader.ReadBoolean();
            long version = reader.ReadInt64();
            samples.Add(
                new RolloutSample(samples.Count, tokens, logProbs, finish)
                {
                    KeptMass = kept,
                    Drawn = drawn,
                    Version = hasVersion ? version : null,
                }
            );
        }
        return type;
    }

    private static double[][] Rows(Tensor values)
    {
        using var scope = NewDisposeScope();
        var all = values.detach().to_type(ScalarType.Float64).cpu().contiguous().data<double>().ToArray();
        return [.. all.Chunk((int)values.shape[1])];
    }

    private static void Write(BinaryWriter writer, ReadOnlySpan<double> values)
    {
        foreach (double value in values)
            writer.Write(value);
    }

    private static double[] Doubles(BinaryReader reader, int count)
    {
        var values = new double[count];
        for (int i = 0; i < count; i++)
            values[i] = reader.ReadDouble();
        return values;
    }
}
