namespace PostTrain.Models;

/// <summary>A linear layer, y = x Wᵀ + b with a parameter W [out,in], that does something of its own with W.</summary>
internal interface IWeightedLinear : IWeighted;
