namespace PostTrain.Search;

/// <summary>A holder of a sampler's kept state of a prefix: a prompt, or a step.</summary>
internal interface IBranchHolder
{
    /// <summary>Null where nothing was kept.</summary>
    BranchState? State { get; set; }
}
