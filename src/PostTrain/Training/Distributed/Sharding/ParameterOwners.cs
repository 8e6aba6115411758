using TorchSharp.Modules;

namespace PostTrain.Training.Distributed;

/// <summary>The rank that holds and updates the optimiser's state of each parameter.</summary>
internal static class ParameterOwners
{
    /// <summary>Deals parameters out, the largest first, each to the rank with the fewest elements so far: no rank has more than the mean
    /// and one parameter. A function of the shapes alone.</summary>
    internal static int[] Of(IReadOnlyList<Parameter> parameters, int ranks)
    {
        var owners = new int[parameters.Count];
        var load = new long[ranks];
        foreach (int i in Enumerable.Range(0, parameters.Count).OrderByDescending(i => parameters[i].NumberOfElements))
        {
            owners[i] = Array.IndexOf(load, load.Min());
            load[owners[i]] += parameters[i].NumberOfElements;
        }
        return owners;
    }
}
