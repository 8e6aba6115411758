namespace PostTrain.Search;

/// <summary>Where a sampler finds what it kept of a beginning: a prompt, or a step.</summary>
internal interface IBranchHolder
{
    /// <summary>Null where nothing was kept.</summary>
    BranchState? State { get; set; }
}
