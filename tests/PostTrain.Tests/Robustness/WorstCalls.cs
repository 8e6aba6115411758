using System.Reflection;
using PostTrain.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Robustness;

/// <summary>A program that calls every public function on tensors with the worst arguments, and runs the backward pass of what comes out
/// twice.</summary>
/// <remarks>Prints a line for each function before its first call, one for each kind of exception, and <c>done</c> at the end: what the
/// process died of is its last line.</remarks>
internal static class WorstCalls
{
    internal const string Command = "worst-calls";
    private const int Calls = 120;

    /// <summary>Public static functions of the library with a tensor among their parameters, and public static ones that take a record of
    /// tensors.</summary>
    internal static IReadOnlyList<MethodInfo> Functions { get; } =
    [
        .. typeof(Pretrained)
            .Assembly.GetExportedTypes()
            .SelectMany(type =>
                type.GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly)
            )
            .Where(method =>
                method.IsStatic
                && !method.IsGenericMethod
                && !method.IsSpecialName
                && method.GetParameters().Any(parameter => HoldsTensors(parameter.ParameterType))
            )
            .Where(method =>
                method.GetParameters().All(parameter => parameter.HasDefaultValue || WorstArguments.Knows(parameter.ParameterType))
            )
            .OrderBy(method => $"{method.DeclaringType!.FullName}.{method}", StringComparer.Ordinal),
    ];

    internal static int Run()
    {
        foreach (var (function, index) in Functions.Select((function, index) => (function, index)))
        {
            Console.WriteLine($"function {function.DeclaringType!.Name}.{function.Name}");
            Console.Out.Flush();
            var seen = new SortedSet<string>(StringComparer.Ordinal);
            var arguments = new WorstArguments(index);
            manual_seed(index);
            for (int call = 0; call < Calls; call++)
            {
                using var scope = NewDisposeScope();
                try
                {
                    arguments.NextCall();
                    object?[] values =
                    [
                        .. function
                            .GetParameters()
                            .Select(parameter =>
                                arguments.Make(parameter.ParameterType, parameter.HasDefaultValue, parameter.DefaultValue)
                            ),
                    ];
                    if (function.Invoke(null, values) is { } result)
                        Backward(result);
                }
                catch (Exception exception)
                {
                    while (exception is TargetInvocationException or TypeInitializationException)
                        exception = exception.InnerException!;
                    seen.Add($"{exception.GetType().Name}: {exception.Message.Split('\n')[0]}");
                }
            }
            foreach (var line in seen)
                Console.WriteLine(line);
        }
        WorstModelCalls.Run();
        Console.WriteLine("done");
        return 0;
    }

    private static bool HoldsTensors(Type type) =>
        type == typeof(Tensor)
        || (
            type.Namespace?.StartsWith("PostTrain", StringComparison.Ordinal) == true
            && type.GetProperties().Any(property => property.PropertyType == typeof(Tensor))
        );

    // Twice: the second pass meets a graph that is used up.
    private static void Backward(object result)
    {
        Tensor[] tensors = result is Tensor tensor
            ? [tensor]
            :
            [
                .. result
                    .GetType()
                    .GetProperties()
                    .Where(property => property.PropertyType == typeof(Tensor))
                    .Select(property => property.GetValue(result))
                    .OfType<Tensor>(),
            ];
        foreach (var found in tensors.Where(item => !item.IsInvalid && item.requires_grad))
        {
            found.sum().backward();
            try
            {
                found.sum().backward();
            }
            catch (System.Runtime.InteropServices.ExternalException)
            {
                // Freed: as it should be.
            }
        }
    }
}
