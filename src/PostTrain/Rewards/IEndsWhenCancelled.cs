namespace PostTrain.Rewards;

/// <summary>Marks what ends its calls itself soon after their token is cancelled.</summary>
/// <remarks>Such calls are awaited, and not left behind: they may hold a model, which the caller is free to dispose of once the run has
/// ended.</remarks>
internal interface IEndsWhenCancelled;
