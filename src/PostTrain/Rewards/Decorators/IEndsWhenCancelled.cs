namespace PostTrain.Rewards;

/// <summary>Marks a type whose calls end soon after their token is cancelled.</summary>
/// <remarks>Such calls are awaited instead of abandoned: they may use a model that the caller disposes once the run has ended.</remarks>
internal interface IEndsWhenCancelled;
