function t(){}export{t as startEditor};
