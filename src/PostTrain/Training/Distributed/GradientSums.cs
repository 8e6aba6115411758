using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Training.Distributed;

/// <summary>Sums gradients over ranks: large ones in place, small ones side by side in one tensor.</summary>
internal static class GradientSums
{
    // Elements: below, a call costs more than the copy into a common tensor.
    private const long Large = 1 << 18;

    private const long BucketSize = 1 << 22;

    /// <summary>Makes every gradient the sum over all ranks.</summary>
    /// <param name="collectives">The ranks.</param>
    /// <param name="parameters">Parameters, the same on all ranks.</param>
    /// <param name="present">True for a parameter that has a gradient on any rank.</param>
    internal static void AllReduce(ICollectives collectives, IReadOnlyList<Parameter> parameters, bool[] present) =>
        Each(Present(parameters, present), collectives.AllReduce);

    /// <summary>Sums gradients over all ranks, each for the rank that owns it; the others lose theirs.</summary>
    internal static void Reduce(ICollectives collectives, IReadOnlyList<Parameter> parameters, bool[] present, int[] owners)
    {
        for (int owner = 0; owner < collectives.Size; owner++)
        {
            Parameter[] own = [.. Present(parameters, present, i => owners[i] == owner)];
            Each(own, bucket => collectives.Reduce(bucket, owner));
            if (owner != collectives.Rank)
                foreach (var parameter in own)
                    parameter.grad = null;
        }
    }

    /// <summary>Copies parameters from the ranks that own them to all.</summary>
    internal static void Broadcast(ICollectives collectives, IReadOnlyList<Tensor> parameters, int[] owners)
    {
        using var mode = no_grad();
        for (int owner = 0; owner < collectives.Size; owner++)
            InBuckets([.. parameters.Where((_, i) => owners[i] == owner)], bucket => collectives.Broadcast(bucket, owner));
    }

    private static IEnumerable<Parameter> Present(IReadOnlyList<Parameter> parameters, bool[] present, Func<int, bool>? chosen = null)
    {
        for (int i = 0; i < parameters.Count; i++)
            if (present[i] && (chosen is null || chosen(i)))
                yield return parameters[i];
    }

    private static void Each(IEnumerable<Parameter> parameters, Action<Tensor> collective)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        var gradients = new List<Tensor>();
        foreach (var parameter in parameters)
        {
            // A rank without a part that reaches the parameter adds nothing.
            if (parameter.grad is null)
                parameter.grad = parameter.zeros_like();
            gradients.Add(parameter.grad!);
        }
        InBuckets(gradients, collective);
    }

    private static void InBuckets(IReadOnlyList<Tensor> tensors, Action<Tensor> collective)
    {
        foreach (var sameType in tensors.GroupBy(tensor => (tensor.dtype, tensor.device.ToString())))
        {
            var bucket = new List<Tensor>();
            long filled = 0;
            foreach (var tensor in sameType)
            {
                if (tensor.NumberOfElements >= Large && tensor.is_contiguous())
                {
                    collective(tensor);
                    continue;
                }
                bucket.Add(tensor);
                filled += tensor.NumberOfElements;
                if (filled < BucketSize)
                    continue;
                Together(bucket, collective);
                bucket.Clear();
                filled = 0;
            }
            if (bucket.Count > 0)
                Together(bucket, collective);
        }
    }

    private static void Together(List<Tensor> bucket, Action<Tensor> collective)
    {
        using var scope = NewDisposeScope();
        var flat = cat([.. bucket.Select(tensor => tensor.reshape(-1))], 0);
        collective(flat);
        long start = 0;
        foreach (var tensor in bucket)
        {
            tensor.copy_(flat.narrow(0, start, tensor.NumberOfElements).view_as(tensor));
            start += tensor.NumberOfElements;
        }
    }
}
