namespace PostTrain.Benchmarks.Workloads;

/// <summary>A piece of work of the library with a name, the same on every machine and for every side of a comparison.</summary>
internal interface IWorkload
{
    /// <summary>Stable: a workload that changes gets a new id.</summary>
    string Id { get; }

    /// <summary>Dimensions, as in <c>16x256</c>; those that a run does unless told otherwise.</summary>
    IReadOnlyList<string> Sizes { get; }

    /// <summary>Says what a size needs and this machine lacks; null where it can run.</summary>
    string? Missing(string size) => null;

    /// <summary>Makes the inputs and says what one call is. The inputs belong to the caller's dispose scope, a call leaves nothing
    /// behind.</summary>
    Call Setup(string size, Inputs inputs);
}
