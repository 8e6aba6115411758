namespace TorchSharp.Modules;

/// <summary>Marks modules without parameters.</summary>
public interface IParameterLessModule;
